// The unmodified OpenAI SDK for Node against a running server. Started by node_sdk_test.py,
// which brings the server up and says in the environment where it is.
// Prints one line per check (checks.mjs).

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import { checksOf, readRecord } from './checks.mjs';

const { SDK_FOLDER, BASE_URL, MODEL, KEY, POOR_KEY, NARROW_KEY, BAD_KEY } = process.env;
const require = createRequire(pathToFileURL(`${SDK_FOLDER}/`));
const { default: OpenAI } = await import(pathToFileURL(require.resolve('openai')));

const hello = [{ role: 'user', content: 'Say hello in one short sentence.' }];
const long = [{ role: 'user', content: 'Write a very long story about the sea.' }];
const withKey = (apiKey, maxRetries = 0) => new OpenAI({ baseURL: BASE_URL, apiKey, maxRetries, timeout: 60_000 });
const sdk = withKey(KEY);

const record = (id) => readRecord(`${BASE_URL}/requests/${id}`, KEY);

const { check, story, finish } = checksOf('node-sdk');

async function refused(name, kind, status, call) {
  let error;
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  check(`${name} (${kind.name})`, error instanceof kind && error.status === status, String(error));
  const verdict = error?.error?.claviger;
  check(`${name}: the verdict says what to do`, verdict?.say?.length > 0 && verdict?.remedy?.length > 0, error?.error);
  return error;
}

await story('plain', async () => {
  const { data, response } = await sdk.chat.completions
    .create({ model: MODEL, messages: hello, max_tokens: 24, temperature: 0 })
    .withResponse();
  check('a plain answer has words', data.choices[0].message.content.length > 0, data);
  check('and usage with its cost', data.usage.total_tokens > 0 && data.usage.cost > 0, data.usage);
  check('x-claviger-cost says the same', Number(response.headers.get('x-claviger-cost')) === data.usage.cost);
});

await story('streaming', async () => {
  const stream = await sdk.chat.completions.create({
    model: MODEL, messages: hello, max_tokens: 24, stream: true, stream_options: { include_usage: true },
  });
  let text = '';
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  check('a stream has words', text.length > 0);
  check('and its usage event the cost', usage?.completion_tokens > 0 && usage?.cost > 0, usage);
});

await story('streaming helper', async () => {
  const runner = sdk.chat.completions.stream({ model: MODEL, messages: hello, max_tokens: 12 });
  const completion = await runner.finalChatCompletion();
  check('the streaming helper assembles the answer', completion.choices[0].message.content.length > 0, completion);
});

await story('cancellation', async () => {
  const { data: stream, response } = await sdk.chat.completions
    .create({ model: MODEL, messages: long, max_tokens: 1500, stream: true })
    .withResponse();
  let count = 0;
  for await (const _ of stream) {
    count += 1;
    if (count === 4) break; // Leaving the loop aborts the request.
  }
  const found = await record(response.headers.get('x-claviger-request-id'));
  check('a cancelled stream is noticed, and the record says so', found.caller_left === true, found);
});

await story('abort signal', async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 150);
  let aborted = false;
  try {
    await sdk.chat.completions.create({ model: MODEL, messages: long, max_tokens: 1500 }, { signal: controller.signal });
  } catch (error) {
    aborted = error instanceof OpenAI.APIUserAbortError;
  }
  check('a plain request can be aborted', aborted);
  const after = await sdk.chat.completions.create({ model: MODEL, messages: hello, max_tokens: 4 });
  check('and the model is free for the next', after.choices.length === 1, after);
});

await story('models', async () => {
  const listed = [];
  for await (const model of sdk.models.list()) listed.push(model.id);
  check('models.list names the model', listed.includes(MODEL), listed);
  check('models.retrieve finds it', (await sdk.models.retrieve(MODEL)).id === MODEL);
});

await story('errors', async () => {
  const ask = (client, model = MODEL) => client.chat.completions.create({ model, messages: hello, max_tokens: 4 });
  await refused('a bad key is refused', OpenAI.AuthenticationError, 401, () => ask(withKey(BAD_KEY)));
  await refused('an unknown model is not found', OpenAI.NotFoundError, 404, () => ask(sdk, 'local/none'));
  await refused('a model outside the patterns', OpenAI.PermissionDeniedError, 403, () => ask(withKey(NARROW_KEY)));
  const broke = await refused('an exhausted budget', OpenAI.APIError, 402, () => ask(withKey(POOR_KEY, 2)));
  check('it says which', broke?.code === 'budget_exhausted', broke?.error);
  check('and that retrying is pointless', broke?.error?.claviger?.retry === 'no', broke?.error);
  const streamed = () => withKey(BAD_KEY).chat.completions.create({ model: MODEL, messages: hello, stream: true });
  await refused('a stream with a bad key', OpenAI.AuthenticationError, 401, streamed);
});

finish();
