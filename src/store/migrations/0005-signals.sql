-- What a ghost shows on Matrix and where it is from: nick as its owner told it unasked, the rest as it was looked up.
create table ghost_profiles (
  jid         text not null primary key,
  nick        text,
  name        text,
  avatar_hash text not null default '',
  avatar_mxc  text,
  looked_at   integer not null default 0
) without rowid;

-- The presence of Matrix users whom somebody has in the roster, as the homeserver told it last.
create table presences (
  user_id   text not null primary key,
  presence  text not null,
  status    text,
  active_at integer
) without rowid;

-- How far a direct conversation was read: by its Matrix user as XMPP was told, by its XMPP user as Matrix was told.
create table read_marks (
  room_id  text    not null,
  reader   text    not null,
  position integer not null,
  primary key (room_id, reader)
) without rowid;

-- Whether the XMPP user lets the Matrix user see their presence, too.
alter table subscribers add column mutual integer not null default 0;

-- To find the newest message of one side.
create index messages_by_room on messages (room_id, origin);
