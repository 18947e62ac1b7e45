// A device on the vendor's SDK for JavaScript (alibabacloud-iot-device-sdk, unmodified) against
// `otabench cloud`. The SDK has no download of its own: it connects, signs, subscribes, publishes;
// fetching and checking is done here, with Node's own clients.
//
//   node driver.js STEP FACTS.json      STEP as below; FACTS: see ci/check-sdk
//
// Prints one line per thing it saw; exit 0 when all of the step came about, 1 with the reason.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const iot = require('alibabacloud-iot-device-sdk');

const facts = JSON.parse(fs.readFileSync(process.argv[3], 'utf8'));
const LIMIT_MS = 90000; // a step hangs no longer than this
const CHUNK = 8192;

const say = (...words) => console.log(...words);
const fail = (why) => {
  console.error(`${process.argv[2]}: ${why}`);
  process.exit(1);
};
const must = (what, good) => (good ? say('ok  ', what) : fail(what));
process.on('unhandledRejection', (e) => fail(e.stack || e));
setTimeout(() => fail(`not done in ${LIMIT_MS} ms`), LIMIT_MS).unref();

// ---- the SDK's calls as promises ----

const once = (thing, event) => new Promise((done) => thing.once(event, (...args) => done(args)));

function device(name, secret, broker, more) {
  return iot.device({
    productKey: facts.product, deviceName: name, deviceSecret: secret, brokerUrl: broker,
    ...more,
  });
}

// What comes on a topic is kept, so that nothing is lost between two waits.
function listen(thing, topic) {
  const kept = [];
  const waiting = [];
  thing.on('message', (at, payload) => {
    if (at !== topic) return;
    const text = payload.toString();
    if (waiting.length > 0) waiting.shift()(text);
    else kept.push(text);
  });
  return {
    next: () => (kept.length > 0 ? Promise.resolve(kept.shift())
      : new Promise((done) => waiting.push(done))),
    forget: () => { kept.length = 0; },
  };
}

const publish = (thing, topic, message) =>
  new Promise((done) => thing.publish(topic, JSON.stringify(message), { qos: 1 }, done));

const call = (thing, method, ...args) =>
  new Promise((done) => thing[method](...args, done));

// ---- the storage ----

// The head must suit clients in C, too: one takes lines of at most 126 bytes, one finds its end only
// within the first 512, and all look for "Content-Length" in this spelling, and take no other coding.
function checkHead(rs) {
  const lines = [];
  for (let i = 0; i < rs.rawHeaders.length; i += 2)
    lines.push(`${rs.rawHeaders[i]}: ${rs.rawHeaders[i + 1]}\r\n`);
  const all = `HTTP/1.1 ${rs.statusCode} ${rs.statusMessage}\r\n${lines.join('')}\r\n`;
  if (lines.some((line) => line.length > 126) || all.length > 512
      || !all.includes('Content-Length: ') || /encoding/i.test(all) || rs.httpVersion !== '1.1')
    fail(`a head that old clients cannot take:\n${all}`);
}

// One range; redirects are an error, as they are to devices.
function get(url, from, to) {
  const client = url.startsWith('https') ? https : http;
  return new Promise((done, broke) => {
    client.get(url, { headers: { Range: `bytes=${from}-${to}` }, agent: false }, (rs) => {
      checkHead(rs);
      const parts = [];
      rs.on('data', (d) => parts.push(d));
      rs.on('end', () => done({ status: rs.statusCode, headers: rs.headers,
                                body: Buffer.concat(parts) }));
      rs.on('error', broke);
    }).on('error', broke);
  });
}

// ---- the cloud's own API ----

function admin(method, path, body) {
  return new Promise((done, broke) => {
    const rq = http.request(`${facts.admin}${path}`, {
      method, headers: { Authorization: `Bearer ${facts.token}` },
    }, (rs) => {
      rs.resume();
      rs.on('end', () => done(rs.statusCode));
    });
    rq.on('error', broke);
    rq.end(body);
  });
}

// ---- an upgrade ----

const digests = { Md5: 'md5', SHA256: 'sha256' };

// speaker publishes (a gateway, for a sub-device); pk and dn are in the topics.
// pause(told) is called once, in the middle of the download; it may return another announcement.
async function upgrade(speaker, pk, dn, pause) {
  const told = listen(speaker, `/ota/device/upgrade/${pk}/${dn}`);
  const inform = (version) =>
    publish(speaker, `/ota/device/inform/${pk}/${dn}`, { id: 1, params: { version } });
  const progress = (step) =>
    publish(speaker, `/ota/device/progress/${pk}/${dn}`,
            { id: 2, params: { step: String(step), desc: '' } });
  await new Promise((done) =>
    speaker.subscribe(`/ota/device/upgrade/${pk}/${dn}`, { qos: 1 }, done));
  await inform('1.0.0');
  let message = JSON.parse(await told.next());
  must('the announcement succeeds', message.message === 'success' && message.code === '1000');
  let { data } = message;
  must('it has a version', data.version === '2.0.0');
  const parts = [];
  let at = 0;
  let paused = pause === undefined;
  await progress(0);
  while (at < data.size) {
    if (!paused && at * 2 >= data.size) {
      paused = true;
      told.forget();
      const again = await pause(data, inform, told);
      if (again !== undefined) data = again.data;
    }
    const rs = await get(data.url, at, Math.min(at + CHUNK, data.size) - 1);
    if (rs.status !== 206) fail(`status ${rs.status} at ${at}: ${rs.body}`);
    if (rs.headers['content-range'] !== `bytes ${at}-${at + rs.body.length - 1}/${data.size}`)
      fail(`Content-Range ${rs.headers['content-range']} at ${at}`);
    parts.push(rs.body);
    at += rs.body.length;
    await progress(Math.floor((at * 100) / data.size));
  }
  const image = Buffer.concat(parts);
  const hex = (kind) => crypto.createHash(kind).update(image).digest('hex');
  must('the size is right', image.length === data.size);
  must('the MD5 is right', hex('md5') === data.md5);
  must('the sign is right', digests[data.signMethod] !== undefined
       && hex(digests[data.signMethod]) === data.sign);
  must('it is the firmware', image.equals(fs.readFileSync(facts.firmware)));
  await inform('2.0.0');
  say('done', dn, data.url.split(':')[0]);
}

// A connection that is for a registration alone; nothing is subscribed.
async function overMqtt(authType, name) {
  const text = `deviceName${name}productKey${facts.product}random42`;
  const c = iot.mqtt.connect(facts.mqtts, {
    clientId: `${facts.product}.${name}|random=42,authType=${authType},securemode=2,`
      + 'signmethod=hmacsha256|',
    username: `${name}&${facts.product}`,
    password: crypto.createHmac('sha256', facts.productSecret).update(text).digest('hex'),
    reconnectPeriod: 0,
  });
  const [topic, payload] = await once(c, 'message');
  c.end();
  return { topic, answer: JSON.parse(payload.toString()) };
}

// ---- steps ----

const steps = {
  // The record is to end as success; the cloud is killed and started again in the middle.
  async tcp() {
    const d = device(facts.devices[0].name, facts.devices[0].secret, facts.mqtt);
    await once(d, 'connect');
    await upgrade(d, facts.product, facts.devices[0].name, async () => {
      say('half');
      await once(d, 'connect');
      say('ok   the SDK is back');
    });
    d.end();
  },

  // The URL expires in the middle; telling the version again brings a fresh one.
  async tls() {
    const d = device(facts.devices[1].name, facts.devices[1].secret, facts.mqtts);
    await once(d, 'connect');
    await upgrade(d, facts.product, facts.devices[1].name, async (data, inform, told) => {
      let rs;
      do {
        await new Promise((done) => setTimeout(done, 200));
        rs = await get(data.url, 0, 0);
      } while (rs.status === 206);
      must('the storage says that the URL has expired',
           rs.status === 403 && rs.body.includes('Request has expired'));
      await inform('1.0.0');
      const again = JSON.parse(await told.next());
      must('a fresh URL is told', again.data.url !== data.url);
      return again;
    });
    d.end();
  },

  async refused() {
    const d = device(facts.devices[0].name, 'wrong', facts.mqtt);
    const [error] = await once(d, 'error');
    must('a wrong secret is refused', /refused/i.test(String(error)));
    d.end(true);
  },

  // What the SDK has besides: configuration, asked for and told; properties, events, tags.
  async thing() {
    const d = device(facts.devices[0].name, facts.devices[0].secret, facts.mqtt);
    await once(d, 'connect');
    const config = await call(d, 'getConfig');
    must('the configuration is answered', config.code === 200 && config.data.configId === 'c1');
    const rs = await get(config.data.url, 0, config.data.configSize - 1);
    must('it is served', rs.status === 206 && rs.body.length === config.data.configSize);
    must('its sign is right', config.data.signMethod === 'Sha256'
         && crypto.createHash('sha256').update(rs.body).digest('hex') === config.data.sign);
    const told = new Promise((done) => d.onConfig(done));
    await admin('PUT', '/files/told.json', '{"interval":31}');
    must('another configuration is set', await admin('POST', '/setup', JSON.stringify({
      otabench_cloud: 1,
      aliyun: [{ product_key: facts.product, config: { id: 'c2', file: 'told.json' } }],
    })) === 200);
    const pushed = await told;
    must('it is told', pushed.method === 'thing.config.push' && pushed.params.configId === 'c2');
    must('and served', (await get(pushed.params.url, 0, 99)).body.toString() === '{"interval":31}');
    must('properties are acknowledged', (await call(d, 'postProps', { t: 21 })).code === 200);
    must('an event is acknowledged', (await call(d, 'postEvent', 'alarm', { a: 1 })).code === 200);
    must('tags are acknowledged',
         (await call(d, 'postTags', [{ attrKey: 'k', attrValue: 'v' }])).code === 200);
    must('and deleted', (await call(d, 'deleteTags', ['k'])).code === 200);
    d.end();
  },

  // A gateway gets its sub-device a secret, adds it, logs it in, upgrades it, logs it out.
  async gateway() {
    const g = iot.gateway({
      productKey: facts.product, deviceName: facts.devices[0].name,
      deviceSecret: facts.devices[0].secret, brokerUrl: facts.mqtt,
    });
    await once(g, 'connect');
    const sub = { productKey: facts.product, deviceName: facts.sub };
    const registered = await call(g, 'regiestSubDevice', sub);
    must('the sub-device gets its secret',
         registered.code === 200 && registered.data[0].deviceName === facts.sub);
    sub.deviceSecret = registered.data[0].deviceSecret;
    must('a wrong secret is not added',
         (await call(g, 'addTopo', [{ ...sub, deviceSecret: 'wrong' }])).code === 401);
    must('it is added', (await call(g, 'addTopo', [sub])).code === 200);
    const topo = await call(g, 'getTopo');
    must('it is listed', topo.data.some((d) => d.deviceName === facts.sub));
    const answer = await new Promise((done) => g.login({ ...sub }, done));
    must('it is logged in', answer.code === 200);
    await upgrade(g, facts.product, facts.sub);
    const names = { productKey: facts.product, deviceName: facts.sub };
    must('it is logged out', (await call(g, 'logout', names)).code === 200);
    must('it is deleted', (await call(g, 'removeTopo', [names])).code === 200);
    must('nothing is listed', (await call(g, 'getTopo')).data.length === 0);
    g.end();
  },

  // One secret per product, then a login with what came of it, over TLS: by the SDK's HTTPS call, and
  // by MQTT with the client it brings along.
  async register() {
    const ask = (more) => new Promise((done) => iot.register({
      productKey: facts.product, productSecret: facts.productSecret, deviceName: facts.fresh,
      registerURL: `${facts.https}/auth/register/device`, ...more,
    }, done));
    must('a wrong product secret is refused', (await ask({ productSecret: 'x' })).code === 401);
    must('an unlisted device is refused', (await ask({ deviceName: 'nobody' })).code === 6100);
    const answer = await ask();
    must('the device is registered', answer.code === 200 && answer.data.deviceSecret.length > 0);
    const d = device(facts.fresh, answer.data.deviceSecret, facts.mqtts);
    await once(d, 'connect');
    say('ok   it logs in with its secret');
    must('who has logged in does not register again', (await ask()).code === 6289);
    d.end();

    const listed = await overMqtt('register', facts.second);
    must('a listed device registers over MQTT',
         listed.topic === '/ext/register' && listed.answer.deviceName === facts.second);
    const e = device(facts.second, listed.answer.deviceSecret, facts.mqtts);
    await once(e, 'connect');
    say('ok   it logs in with its secret');
    e.end();
    const unlisted = await overMqtt('regnwl', 'unlisted');
    must('an unlisted device registers over MQTT',
         unlisted.topic === '/ext/regnwl' && unlisted.answer.deviceToken.length > 0);
    const f = iot.mqtt.connect(facts.mqtts, {
      clientId: `${unlisted.answer.clientId}|authType=connwl,securemode=-2,_ss=1,ext=3|`,
      username: `unlisted&${facts.product}`, password: unlisted.answer.deviceToken,
    });
    await once(f, 'connect');
    say('ok   it logs in with its token');
    f.end();
  },
};

const step = steps[process.argv[2]];
if (step === undefined) fail(`must be one of ${Object.keys(steps).join(', ')}`);
step().then(() => process.exit(0));
