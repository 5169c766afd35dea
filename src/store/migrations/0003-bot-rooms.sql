-- Matrix rooms that the bot is in; user_id is the other person where the room is for the two of them alone.
create table bot_rooms (
  room_id text not null primary key,
  user_id text
) without rowid;
