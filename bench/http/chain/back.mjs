// The peer's service: grpc-js over pg, with the transactions of ours. node back.mjs PORT POSTGRES_URL
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'
import pg from 'pg'

const [port, url] = process.argv.slice(2)
const definition = loader.loadSync('peer.proto', { keepCase: true, longs: Number, defaults: true })
const { bench } = grpc.loadPackageDefinition(definition)
// As ours: a pool for each service, with its schema and its role under row level security.
const pools = Object.fromEntries(
  ['identity', 'agent', 'knowledge', 'calllog', 'billing', 'realtime'].map((service) => {
    const pool = new pg.Pool({ connectionString: url, max: 10, idleTimeoutMillis: 0 })
    pool.on('connect', (client) => client.query(`set search_path = ${service}; set role ${service}_app`))
    return [service, pool]
  }),
)

const COLUMNS = `org_id, id, name, description, tags, status, provider, external_agent_id, system_prompt, first_message,
  language, voice_id, llm_model, llm_temperature, llm_max_tokens, dynamic_variables, published_version, version,
  created_at, updated_at`
const GET = { name: 'get', text: `select ${COLUMNS} from agent where org_id = $1 and id = $2 and status <> 'archived'` }
const LOCK = { name: 'lock', text: `${GET.text} for update` }
// The columns of a list's row: neither the prompt nor the variables.
const LIST = {
  name: 'list',
  text: `select id, status, published_version, org_id, version, created_at, updated_at, first_message, language,
         voice_id, llm_model, llm_temperature, llm_max_tokens, name, description, tags, provider, external_agent_id
         from agent where org_id = $1 and status <> 'archived' order by created_at desc, id desc limit $2`,
}
const CALLS = {
  name: 'calls',
  text: `select id, agent_id, agent_version, external_call_id, external_agent_id, provider, status, direction,
         from_number, to_number, duration_seconds, started_at, ended_at, cost_micros, cost_currency,
         provider_cost_units, title, summary, successful, termination_reason, language, turn_count, tags, version,
         created_at, updated_at
         from call where org_id = $1 order by created_at desc, id desc limit $2`,
}
const JOBS = {
  name: 'jobs',
  text: `select id, kind, queue, state, lane, progress, attempt, max_attempts, error_code, error_message,
         result::text as result, created_at, run_at, started_at, finished_at, cancel_requested, stalls
         from job where org_id = $1 order by id desc limit $2`,
}
const SAVE = {
  name: 'save',
  text: `update agent set name = $3, version = version + 1, updated_at = clock_timestamp()
         where org_id = $1 and id = $2 returning ${COLUMNS}`,
}
const NOTE = {
  name: 'note',
  text: `with i as (insert into bench_http.cache_invalidation (event_id, org_id, topic, key) values ($1, $2, $3, $4))
         insert into bench_http.outbox (event_id, org_id, topic, key, payload, headers)
         values ($1, $2, $3, $4, $5, '{"service": "agent"}')`,
}

async function tenant(service, org, work) {
  const client = await pools[service].connect()
  try {
    await client.query('begin')
    await client.query({ name: 'org', text: "select set_config('app.org', $1, true)", values: [org] })
    const found = await work((statement, ...values) => client.query({ ...statement, values }))
    await client.query('commit')
    return found
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

// A row as a message: proto-loader takes no null, no Date and no text for a number.
function shown(row) {
  const message = {}
  for (const [name, value] of Object.entries(row)) {
    if (value === null) continue
    message[name] = value instanceof Date ? value.toISOString() : value
  }
  for (const name of ['version', 'cost_micros', 'provider_cost_units'])
    if (name in message) message[name] = Number(message[name])
  if ('dynamic_variables' in message) message.dynamic_variables = JSON.stringify(row.dynamic_variables)
  return message
}
const answer = (method) => (call, done) => method(call.request).then((found) => done(null, found), done)
const page = (service, statement, name) =>
  answer((asked) =>
    tenant(asked.service || service, asked.org_id, async (run) => {
      const { rows } = await run(statement, asked.org_id, asked.limit + 1)
      return { [name]: rows.slice(0, asked.limit).map(shown), more: rows.length > asked.limit }
    }),
  )

let events = 0
const server = new grpc.Server()
server.addService(bench.Peer.service, {
  Get: answer(({ org_id, id }) => tenant('agent', org_id, async (run) => shown((await run(GET, org_id, id)).rows[0]))),
  List: page('agent', LIST, 'agents'),
  ListCalls: page('calllog', CALLS, 'calls'),
  ListJobs: page('', JOBS, 'jobs'),
  Rename: answer(({ org_id, id, name }) =>
    tenant('agent', org_id, async (run) => {
      await run(LOCK, org_id, id)
      const row = shown((await run(SAVE, org_id, id, name)).rows[0])
      const event = `evt_${process.pid}_${Date.now()}_${events++}`
      await run(NOTE, event, org_id, 'agent.updated', id, JSON.stringify({ agentId: id, version: row.version }))
      return row
    }),
  ),
})
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error
  console.log('ready')
})
