// A Socket.IO server as its documentation builds it: redis-adapter between processes, a JWT checked at the handshake.
// A line on stdin, {"count": n, "text": s}, is n messages to the room.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { createAdapter } from '@socket.io/redis-adapter';
import Redis from 'ioredis';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';

const [port, redisUrl, secret] = process.argv.slice(2);
const publisher = new Redis(redisUrl), subscriber = publisher.duplicate();
const server = createServer();
const io = new Server(server, { adapter: createAdapter(publisher, subscriber), transports: ['websocket'], perMessageDeflate: false });
io.use((socket, next) => {
  try {
    socket.data.user = jwt.verify(socket.handshake.auth.token, secret, { algorithms: ['HS256'] });
    next();
  } catch (error) {
    next(error);
  }
});
io.on('connection', (socket) => socket.on('join', (room, done) => { socket.join(room); done(); }));
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 }, () => process.stdout.write('ready\n'));
for await (const line of createInterface({ input: process.stdin })) {
  const { count, text } = JSON.parse(line);
  for (let sent = 0; sent < count; sent += 1) io.to('room').emit('m', text);
}
