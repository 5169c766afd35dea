-- What the XMPP room calls each of ours (XEP-0421), by which somebody else under the same nick is told from them.
alter table puppets add column occupant_id text;
