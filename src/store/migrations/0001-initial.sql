-- What the homeserver has already handed over: a repeat is recognised by its ID together with its events.
create table transactions (
  txn_id      text    not null,
  digest      text    not null,
  received_at integer not null,
  primary key (txn_id, digest)
) without rowid;

-- An event may come again in another transaction, long after the first.
create table seen_events (
  seq         integer primary key,
  event_id    text    not null unique,
  room_id     text    not null,
  received_at integer not null
);
create index seen_events_by_room on seen_events (room_id, seq);

-- One row per accepted message; the rows of one lane are done in the order of their IDs.
create table jobs (
  id          integer primary key autoincrement,
  lane        text    not null,
  cause       text    not null,
  work        text    not null,
  accepted_at integer not null,
  attempts    integer not null default 0,
  problem     text,
  parked_at   integer
);
create index jobs_by_lane on jobs (lane, id) where parked_at is null;
create index jobs_parked on jobs (parked_at) where parked_at is not null;

-- The one room of a Matrix user and an XMPP user; room_id is null while the room is being created.
create table direct_rooms (
  user_id    text not null,
  jid        text not null,
  room_id    text unique,
  membership text not null,
  primary key (user_id, jid)
) without rowid;

create table ghosts (
  user_id text not null primary key,
  jid     text not null unique
) without rowid;

-- XMPP users who have a Matrix user in their roster and may see them online.
create table subscribers (
  user_id text not null,
  jid     text not null,
  primary key (user_id, jid)
) without rowid;
