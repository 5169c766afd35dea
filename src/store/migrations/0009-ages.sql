-- What is old is forgotten a little at a time, and each time has to find it without reading all the rest.
create index transactions_by_age on transactions (received_at);
create index seen_events_by_age on seen_events (received_at);
create index push_deliveries_by_age on push_deliveries (tried_at);
