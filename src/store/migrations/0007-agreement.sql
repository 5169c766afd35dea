-- Links that were asked for and that the other side has not agreed to yet.
create table link_requests (
  code      text    not null primary key,
  room_id   text    not null,
  muc       text    not null,
  password  text,
  mode      text,
  asked_by  text    not null,
  asked_at  integer not null,
  matrix_by text,
  xmpp_by   text,
  refused   integer not null,
  unique (room_id, muc)
) without rowid;

-- Whom administrators have blocked, beyond the configuration.
create table blocks (
  pattern    text    not null primary key,
  blocked_by text    not null,
  blocked_at integer not null
) without rowid;
