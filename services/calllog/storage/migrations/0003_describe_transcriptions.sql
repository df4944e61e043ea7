-- What is known of a recording's transcription beside its text: whether there is one or why not, by which model, and
-- when each part of it was said. Old rows with a text had no more than that.
set local lock_timeout = '5s';

alter table recording
    add column transcription_status text not null default ''
        check (transcription_status in ('', 'done', 'failed', 'not_needed', 'not_installed')),
    add column transcription_model text not null default '',
    add column transcription_language text not null default '',
    add column transcription_seconds double precision,
    -- [[start, end, text], ...] in seconds of the recording, in their order.
    add column transcription_segments jsonb not null default '[]';

update recording set transcription_status = 'done' where transcription is not null;
