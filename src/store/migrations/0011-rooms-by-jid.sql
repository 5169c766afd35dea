-- Rooms of one XMPP user after the other, a few users at a time.
create index direct_rooms_by_jid on direct_rooms (jid);
