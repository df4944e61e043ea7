-- What people said and the numbers they called from are not in the audit log, which outlives a deleted call.
set local lock_timeout = '5s';

select enable_audit('call', '{from_number,to_number,title,summary}');
select enable_audit('call_turn', '{text,tool_calls}');
select enable_audit('call_facet', '{value}');
select enable_audit('call_search', '{document}');
select enable_audit('recording', '{transcription,transcription_segments}');
select enable_audit('call_command', '{target,context,reason,detail}');
