-- When a job that was given up was put back: it is given up again only so long after that.
alter table jobs add column retried_at integer;
