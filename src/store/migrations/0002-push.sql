-- A push key stands for one XMPP address; whoever made it may turn it off. Found by digest, so that no lookup tells how
-- much of a guess was right; the key itself is kept because removing a pusher takes it.
create table push_keys (
  digest  text    not null primary key,
  key     text    not null,
  owner   text    not null,
  jid     text    not null,
  made_at integer not null,
  unread  integer not null default 0,
  ended   text,
  unique (owner, jid)
) without rowid;
create index push_keys_by_jid on push_keys (jid);

-- What was sent for a push key: a repeat is recognised by its stanza's ID, and so is an error that comes back.
create table push_deliveries (
  stanza_id text    not null primary key,
  digest    text    not null,
  tried_at  integer not null,
  refused   integer not null
) without rowid;
create index push_deliveries_by_key on push_deliveries (digest, tried_at);
