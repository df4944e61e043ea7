// The peer's service: grpc-js over pg, with the transactions of ours. node back.mjs PORT POSTGRES_URL
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'
import pg from 'pg'

const [port, url] = process.argv.slice(2)
const definition = loader.loadSync('agents.proto', { keepCase: true, longs: Number, defaults: true })
const { bench } = grpc.loadPackageDefinition(definition)
const pool = new pg.Pool({ connectionString: url, max: 10, idleTimeoutMillis: 0 })
// As ours: a role under row level security.
pool.on('connect', (client) => client.query('set search_path = agent; set role agent_app'))

const COLUMNS = `org_id, id, name, description, tags, status, provider, external_agent_id, system_prompt, first_message,
  language, voice_id, llm_model, llm_temperature, llm_max_tokens, dynamic_variables, published_version, version,
  created_at, updated_at`
const GET = { name: 'get', text: `select ${COLUMNS} from agent where org_id = $1 and id = $2 and status <> 'archived'` }
const LOCK = { name: 'lock', text: `${GET.text} for update` }
const LIST = {
  name: 'list',
  text: `select ${COLUMNS} from agent where org_id = $1 and status <> 'archived'
         order by created_at desc, id desc limit $2`,
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

async function tenant(org, work) {
  const client = await pool.connect()
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

const shown = (row) => ({
  ...row,
  dynamic_variables: JSON.stringify(row.dynamic_variables),
  version: Number(row.version),
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
})
const answer = (method) => (call, done) => method(call.request).then((found) => done(null, found), done)

let events = 0
const server = new grpc.Server()
server.addService(bench.Agents.service, {
  Get: answer(({ org_id, id }) => tenant(org_id, async (run) => shown((await run(GET, org_id, id)).rows[0]))),
  List: answer(({ org_id, limit }) =>
    tenant(org_id, async (run) => {
      const { rows } = await run(LIST, org_id, limit + 1)
      return { agents: rows.slice(0, limit).map(shown), more: rows.length > limit }
    }),
  ),
  Rename: answer(({ org_id, id, name }) =>
    tenant(org_id, async (run) => {
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
