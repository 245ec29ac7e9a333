// The least that Fastify can do for a POST.
import Fastify from 'fastify';

const app = Fastify();
app.post('/guest-token', async () => ({ token: '00000000-0000-4000-8000-000000000000' }));
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
