// A plain client, run with NODE_DEBUG=http: `node client.js CREDENTIALS PORT`.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

const folder = process.argv[2];
const have = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
const options = (extra) => ({ host: '127.0.0.1', port: process.argv[3], agent: false, ...extra });
const send = (extra) => new Promise((done, fail) => {
  http.get(options(extra), (res) => res.resume().on('end', done)).on('error', fail);
});

async function main() {
  await send({ path: '/orders', headers: { Authorization: `Bearer ${have('rs256')}` } });
  await send({ path: '/orders', headers: { authorization: `bearer ${have('uuid')}` } });
  await send({ path: `/orders?access_token=${have('es256')}` });
  await send({ path: '/orders', auth: `svc-orders:${have('password')}` });
}

main();
