// The peer's edge: session and limit from Redis, the rest by grpc-js. node front.mjs PORT REDIS_URL BACK_PORT
import { promisify } from 'node:util'
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'
import express from 'express'
import Redis from 'ioredis'

const [port, redisUrl, back] = process.argv.slice(2)
const redis = new Redis(redisUrl, { enableAutoPipelining: true })
const definition = loader.loadSync('peer.proto', { keepCase: true, longs: Number, defaults: true })
const { bench } = grpc.loadPackageDefinition(definition)
const peer = new bench.Peer(`127.0.0.1:${back}`, grpc.credentials.createInsecure())
const METHODS = ['Get', 'List', 'Rename', 'ListCalls', 'ListJobs']
const ask = Object.fromEntries(METHODS.map((name) => [name, promisify(peer[name]).bind(peer)]))
const SERVICES = ['identity', 'agent', 'knowledge', 'calllog', 'billing', 'realtime']

async function caller(request, response) {
  const token = (request.headers.authorization ?? '').slice('Bearer '.length)
  const [session, taken] = await Promise.all([
    redis.get(`bench:session:${token}`),
    redis.incr(`bench:limit:${token}`),
  ])
  if (session === null || taken > 1e9) return response.status(401).end()
  return JSON.parse(session).org
}

const listed = ({ llm_model, llm_temperature, llm_max_tokens, ...rest }) => ({
  ...rest,
  llm: { model: llm_model, temperature: llm_temperature, maxTokens: llm_max_tokens },
})
const call = ({ cost_micros, cost_currency, ...rest }) => ({
  ...rest,
  cost: cost_currency ? { amount: (cost_micros / 1e6).toFixed(2), currency: cost_currency } : null,
})
const job = (service, { error_code, error_message, result, ...rest }) => ({
  ...rest,
  service,
  error: error_code ? { code: error_code, message: error_message } : null,
  result: result ? JSON.parse(result) : null,
})

const shown = ({ dynamic_variables, llm_model, llm_temperature, llm_max_tokens, ...rest }) => ({
  ...rest,
  llm: { model: llm_model, temperature: llm_temperature, maxTokens: llm_max_tokens },
  dynamicVariables: JSON.parse(dynamic_variables),
})

const app = express()
app.use(express.json({ type: ['application/json', 'application/merge-patch+json'] }))
app.get('/api/agents/:id', async (request, response) => {
  const org_id = await caller(request, response)
  const body = shown(await ask.Get({ org_id, id: request.params.id }))
  await redis.set(`bench:value:${request.path}`, JSON.stringify(body), 'EX', 900)
  response.json(body)
})
app.get('/api/agents', async (request, response) => {
  const org_id = await caller(request, response)
  const found = await ask.List({ org_id, limit: Number(request.query.limit) })
  response.json({ data: found.agents.map(listed), more: found.more })
})
app.get('/api/call-logs', async (request, response) => {
  const org_id = await caller(request, response)
  const found = await ask.ListCalls({ org_id, limit: Number(request.query.limit) })
  response.json({ data: found.calls.map(call), more: found.more })
})
app.get('/api/jobs', async (request, response) => {
  const org_id = await caller(request, response)
  const limit = Number(request.query.limit)
  const parts = await Promise.all(
    SERVICES.map(async (service) => {
      const found = await ask.ListJobs({ service, org_id, limit })
      return found.jobs.map((one) => job(service, one))
    }),
  )
  // Ids are UUIDv7 behind the service's name, so they sort by creation.
  const born = (one) => one.id.slice(one.id.lastIndexOf('_') + 1)
  const rows = parts.flat().sort((one, other) => (born(one) < born(other) ? 1 : -1))
  response.json({ data: rows.slice(0, limit), more: rows.length > limit })
})
app.patch('/api/agents/:id', async (request, response) => {
  const org_id = await caller(request, response)
  const row = await ask.Rename({ org_id, id: request.params.id, name: request.body.name })
  await redis.del(`bench:value:${request.path}`)
  response.json(shown(row))
})
app.listen(Number(port), '127.0.0.1', () => console.log('ready'))
