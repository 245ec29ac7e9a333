// Like the vendor's samples, plus the authentication that they omit: Express, jsonwebtoken, fetch.
import express from 'express';
import jwt from 'jsonwebtoken';

const { PORT, JWT_KEY, JWT_ALGORITHM, DATABRAIN_API_URL, DATABRAIN_API_KEY, REUSE } = process.env;
const app = express();
app.use(express.json());
const known = new Map();

async function mint(claims) {
  const response = await fetch(`${DATABRAIN_API_URL}/api/v2/guest-token/create`, {
    method: 'POST',
    headers: { authorization: `Bearer ${DATABRAIN_API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      clientId: claims.org_id,
      dataAppName: 'sales-dashboard',
      params: { userIdentifier: claims.sub, allowedEmbeds: ['sales-overview'] },
      expiryTime: 3_600_000,
    }),
  });
  const { token } = await response.json();
  return token;
}

app.post('/guest-token', async (request, response) => {
  let claims;
  try {
    claims = jwt.verify((request.headers.authorization ?? '').slice('Bearer '.length), JWT_KEY, {
      algorithms: [JWT_ALGORITHM],
      issuer: 'https://bench.example',
      audience: 'bench',
    });
  } catch {
    response.status(401).json({ error: 'Unauthorized' });
    return;
  }
  let token = REUSE === '1' ? known.get(claims.sub) : undefined;
  if (token === undefined) {
    token = await mint(claims);
    if (REUSE === '1') known.set(claims.sub, token);
  }
  response.json({ token });
});
app.listen(Number(PORT), '127.0.0.1');
