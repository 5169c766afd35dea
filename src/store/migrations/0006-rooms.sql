-- Matrix rooms linked with rooms of XMPP services: one with one.
create table room_links (
  room_id      text    not null primary key,
  muc          text    not null unique,
  kind         text    not null,
  mode         text    not null,
  password     text,
  linked_by    text,
  archive_id   text,
  is_anonymous integer not null
) without rowid;

-- Matrix users, and the bot, as occupants of XMPP rooms.
create table puppets (
  muc     text not null,
  user_id text not null,
  nick    text not null,
  state   text not null,
  primary key (muc, user_id)
) without rowid;

-- Occupants of XMPP rooms, by occupant ID, real JID or nick, and the ghosts that they are on Matrix.
create table occupants (
  muc         text    not null,
  key         text    not null,
  nick        text    not null,
  ghost       text    not null,
  jid         text    not null,
  affiliation text    not null,
  role        text    not null,
  is_in       integer not null,
  primary key (muc, key)
) without rowid;
create index occupants_by_nick on occupants (muc, nick);
create index occupants_by_ghost on occupants (muc, ghost);

-- XMPP users in Matrix rooms, a row for each of their clients.
create table guests (
  room_id text not null,
  jid     text not null,
  address text not null,
  nick    text not null,
  ghost   text not null,
  primary key (room_id, jid)
) without rowid;

-- What members of Matrix rooms are called in there by XMPP users.
create table room_nicks (
  room_id text not null,
  user_id text not null,
  nick    text not null,
  primary key (room_id, user_id),
  unique (room_id, nick)
) without rowid;

create index messages_by_stanza_id on messages (stanza_id) where stanza_id is not null;
