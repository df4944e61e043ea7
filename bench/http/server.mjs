// The same reads as ours, on the usual Node stack: session, limit and the cached value from Redis, pipelined by ioredis.
// node server.mjs express|fastify-parse|fastify-raw PORT REDIS_URL
import Redis from 'ioredis'

const [kind, port, url] = process.argv.slice(2)
const redis = new Redis(url, { enableAutoPipelining: true })

async function read(path, token) {
  const [session, taken, value] = await Promise.all([
    redis.get(`bench:session:${token}`),
    redis.incr(`bench:limit:${token}`),
    redis.get(`bench:value:${path}`),
  ])
  if (session === null || taken > 1e9) return null
  JSON.parse(session)
  return value
}

const token = (request) => (request.headers.authorization ?? '').slice('Bearer '.length)

if (kind === 'express') {
  const { default: express } = await import('express')
  const app = express()
  app.get(/.*/, async (request, response) => {
    const value = await read(request.originalUrl, token(request))
    if (value === null) return response.status(401).end()
    response.json(JSON.parse(value))
  })
  app.listen(Number(port), '127.0.0.1', () => console.log('ready'))
} else {
  const { default: fastify } = await import('fastify')
  const app = fastify()
  app.get('/*', async (request, reply) => {
    const value = await read(request.url, token(request))
    if (value === null) return reply.code(401).send()
    if (kind === 'fastify-parse') return JSON.parse(value)
    return reply.type('application/json').send(value)
  })
  await app.listen({ port: Number(port), host: '127.0.0.1' })
  console.log('ready')
}
