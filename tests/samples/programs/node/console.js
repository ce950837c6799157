// What Node programs print of a request: `node console.js CREDENTIALS`.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const util = require('util');
const axios = require('axios');
const express = require('express');
const morgan = require('morgan');

const folder = process.argv[2];
const have = Object.fromEntries(
  fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name), 'utf8')]),
);

const app = express();
app.use(morgan('combined', { stream: { write: (line) => process.stdout.write(line) } }));
app.use(morgan('auth=:req[authorization] cookie=:req[cookie] :method :url :status', {
  stream: { write: (line) => process.stdout.write(line) },
}));
app.use(express.json());
app.get('/quiet', (req, res) => res.json({ ok: true }));
app.get('/headers', (req, res) => {
  console.log(req.headers);
  console.log(req.rawHeaders);
  console.log('query', req.query, 'url', req.url);
  res.json({ ok: true });
});
app.get('/nested', (req, res) => {
  console.log({ request: { meta: { headers: req.headers, ip: req.ip } } });
  console.log(util.inspect({ req: { headers: req.headers } }, { depth: 5, compact: false }));
  console.log(util.inspect(req.headers, { colors: true, breakLength: 120 }));
  console.log('%j', { headers: req.headers });
  console.log('headers: %o', req.headers);
  console.log(JSON.stringify({ level: 'info', msg: JSON.stringify({ headers: req.headers }) }));
  console.log(new Map(Object.entries(req.headers)));
  console.log(new Headers({ authorization: req.headers.authorization }));
  console.table([{ header: 'authorization', value: req.headers.authorization }]);
  res.json({ ok: true });
});
app.post('/token', (req, res) => {
  console.log('body', req.body);
  console.log(new URLSearchParams(req.body).toString());
  console.log(new URL(`http://api.example/cb?access_token=${req.body.refresh_token}#id_token=${have.es256}`));
  res.status(401).json({ error: 'invalid_grant' });
});

// Errors of axios carry the whole request; printing one is the classic leak.
async function axiosError(base) {
  try {
    await axios.post(`${base}/token`, { refresh_token: have.uuid }, {
      headers: { Authorization: `Bearer ${have.eddsa}` },
    });
  } catch (error) {
    console.log(util.inspect(error.config, { depth: 2 }));
    console.log(error.toJSON());
    console.log(error.request._header);
  }
}

async function main() {
  const server = app.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const base = `http://127.0.0.1:${server.address().port}`;
  const get = (url, headers) => new Promise((done, fail) => {
    http.get(base + url, { headers }, (res) => res.resume().on('end', done)).on('error', fail);
  });
  await get('/headers', { Authorization: `Bearer ${have.rs256}`, 'X-Api-Key': have.hex32 });
  await get('/headers', { Authorization: [`Bearer ${have.jwe_dir}`], Cookie: `theme=dark; connect.sid=${have.b64url}` });
  await get('/nested', { Authorization: `Bearer ${have.hs256}` });
  await get('/nested', { Authorization: `Bearer ${have.b64std}` });
  await get(`/quiet?access_token=${have.sdjwt}`, { Referer: `http://app.example/cb?id_token=${have.jwe_rsa}&state=1` });
  await get(`/quiet?access_token=${encodeURIComponent(have.b64std)}`, {});
  await get('/quiet', { Authorization: `Basic ${have.basic}` });
  await get('/quiet', { Authorization: `DPoP ${have.ghp}`, DPoP: have.dpop });
  await axiosError(base);
  console.error(new Error(`token refused: Bearer ${have.hex40}`).message);
  console.log(Buffer.from(`Authorization: Bearer ${have.numeric}\r\n`));
  console.log([`Bearer ${have.xoxb}`, 'Bearer', null]);
  server.close();
  server.closeAllConnections();
}

main();
