-- Which event and which stanza stand for each other; what they say is not kept. An event may be several stanzas and a
-- stanza several events, so there is a row for each part.
create table messages (
  seq         integer primary key,
  room_id     text    not null,
  event_id    text    not null,
  part        integer not null,
  origin      text    not null,
  user_id     text    not null,
  jid         text    not null,
  message_id  text,
  origin_id   text,
  stanza_id   text,
  stanza_by   text,
  root_id     text,
  reply_to    text,
  thread_id   text,
  is_redacted integer not null default 0,
  noted_at    integer not null,
  unique (event_id, part)
);
-- IDs are unique among one sender's messages only, but short lists are all that an ID by itself leaves.
create index messages_by_message_id on messages (message_id) where message_id is not null;
create index messages_by_origin_id on messages (origin_id) where origin_id is not null and origin_id is not message_id;
create index messages_by_root on messages (root_id) where root_id is not null;
create index messages_by_age on messages (noted_at);

-- Reactions that stand now, by the event of each.
create table reactions (
  seq       integer primary key,
  event_id  text    not null unique,
  room_id   text    not null,
  target_id text    not null,
  user_id   text    not null,
  key       text    not null,
  noted_at  integer not null
);
create index reactions_by_target on reactions (target_id, user_id);
create index reactions_by_age on reactions (noted_at);
