// The unmodified Anthropic SDK for Node against a running server. Started by
// node_anthropic_test.py, which brings the server up and says in the environment where it is.
// Prints one line per check (checks.mjs).

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import { checksOf, readRecord } from './checks.mjs';

const { SDK_FOLDER, ROOT_URL, MODELS, TOOL_MODEL, KEY } = process.env;
const require = createRequire(pathToFileURL(`${SDK_FOLDER}/`));
const { default: Anthropic } = await import(pathToFileURL(require.resolve('@anthropic-ai/sdk')));

const hello = [{ role: 'user', content: 'Say hello.' }];
const withKey = (apiKey) => new Anthropic({ baseURL: ROOT_URL, apiKey, maxRetries: 0, timeout: 60_000 });
const sdk = withKey(KEY);

const { check, story, finish } = checksOf('node-anthropic');
const record = (id) => readRecord(`${ROOT_URL}/v1/requests/${id}`, KEY);

for (const model of MODELS.split(',')) {
  await story(`${model} plain`, async () => {
    const message = await sdk.messages.create({ model, max_tokens: 24, system: 'Be kind.', messages: hello });
    check(`${model}: an answer has words`, message.content[0].text.length > 0, message);
    check(`${model}: its counts and cost`, message.usage.output_tokens > 0 && message.usage.cost > 0, message.usage);
  });

  await story(`${model} streaming`, async () => {
    const stream = sdk.messages.stream({ model, max_tokens: 24, messages: hello });
    let text = '';
    stream.on('text', (piece) => (text += piece));
    const message = await stream.finalMessage();
    check(`${model}: the streaming helper assembles the answer`, message.content[0].text === text && text.length > 0, message);
    check(`${model}: its end has a reason and counts`, message.stop_reason !== null && message.usage.output_tokens > 0, message);
  });

  await story(`${model} abort`, async () => {
    // Left as well as aborted: where the rest of the answer is already here, this SDK's loop does not end
    // by itself after an abort (Node 22, whoever answers).
    const { data: stream, response } = await sdk.messages
      .create({ model, max_tokens: 1500, messages: hello, stream: true })
      .withResponse();
    for await (const _ of stream) {
      stream.controller.abort();
      break;
    }
    const found = await record(response.headers.get('x-claviger-request-id'));
    check(`${model}: an aborted stream is noticed, and the record says so`, found.caller_left === true, found);
    const after = await sdk.messages.create({ model, max_tokens: 4, messages: hello });
    check(`${model}: and the model is free for the next`, after.content.length === 1, after);
  });

  await story(`${model} errors`, async () => {
    let error;
    try {
      await withKey(`clv_${'A'.repeat(49)}`).messages.create({ model, max_tokens: 4, messages: hello });
    } catch (caught) {
      error = caught;
    }
    check(`${model}: a wrong key is an AuthenticationError`, error instanceof Anthropic.AuthenticationError, String(error));
    check(`${model}: with its type`, error?.type === 'authentication_error', error?.error);
    check(`${model}: and a verdict`, error?.error?.error?.claviger?.remedy?.length > 0, error?.error);
  });

  await story(`${model} counting`, async () => {
    const counted = await sdk.messages.countTokens({ model, messages: hello });
    check(`${model}: tokens are counted`, counted.input_tokens > 0, counted);
  });
}

if (TOOL_MODEL) {
  await story('tools', async () => {
    const tools = ['weather', 'time'].map((name) => ({ name, input_schema: { type: 'object', properties: {} } }));
    const message = await sdk.messages.stream({ model: TOOL_MODEL, max_tokens: 60, messages: hello, tools }).finalMessage();
    const calls = message.content.filter((block) => block.type === 'tool_use');
    check('tools come out of a stream whole', JSON.stringify(calls.map((call) => call.input)) === '[{"number":0},{"number":1}]', message);
    const results = calls.map((call) => ({ type: 'tool_result', tool_use_id: call.id, content: 'fine' }));
    const done = await sdk.messages.create({
      model: TOOL_MODEL, max_tokens: 60, tools,
      messages: [...hello, { role: 'assistant', content: message.content }, { role: 'user', content: results }],
    });
    check('their results are taken', done.content[0].text.includes('3 messages'), done);
  });
}

await story('models', async () => {
  const listed = [];
  for await (const model of sdk.models.list()) listed.push(model.id);
  check('models.list names the models', MODELS.split(',').every((model) => listed.includes(model)), listed);
});

finish();
