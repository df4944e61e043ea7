-- An edit in one statement: `changed` holds the columns that differ, as JSON; all others keep their values. Whether the
-- agent still had the version that the edit was made of. A migration that adds a column to agent replaces the function.
set local lock_timeout = '5s';

create function save_agent(org text, agent_id text, expected bigint, changed jsonb) returns boolean
language plpgsql as $$
begin
    update agent a set (
        name, description, tags, status, provider, external_agent_id, system_prompt, first_message, language, voice_id,
        llm_model, llm_temperature, llm_max_tokens, dynamic_variables, max_duration_seconds, knowledge_entry_ids,
        draft_digest, published_digest, published_version, latest_version, version, updated_at
    ) = (
        select r.name, r.description, r.tags, r.status, r.provider, r.external_agent_id, r.system_prompt,
            r.first_message, r.language, r.voice_id, r.llm_model, r.llm_temperature, r.llm_max_tokens,
            r.dynamic_variables, r.max_duration_seconds, r.knowledge_entry_ids, r.draft_digest, r.published_digest,
            r.published_version, r.latest_version, r.version, r.updated_at
        from jsonb_populate_record(a, changed) r
    )
    where a.org_id = org and a.id = agent_id and a.version = expected;
    return found;
end
$$;
