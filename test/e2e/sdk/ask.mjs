// Asks through the unmodified SDKs for Node, and says what an application gets. Started by
// verdict_sdks_test.py. Each line on standard input is a question, {sdk, model, stream, retries};
// each line on standard output its outcome: the exception's class, status, words, verdict and
// headers, and of a stream what came before.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { SDK_FOLDER, ROOT_URL, KEY } = process.env;
const require = createRequire(pathToFileURL(`${SDK_FOLDER}/`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: OpenAI } = await load('openai');
const { default: Anthropic } = await load('@anthropic-ai/sdk');
const { GoogleGenAI } = await load('@google/genai');

const TIMEOUT_MS = 60_000;
const messages = [{ role: 'user', content: 'Say sixty words.' }];

async function askOpenAi({ model, stream, retries }, seen) {
  const sdk = new OpenAI({ baseURL: `${ROOT_URL}/v1`, apiKey: KEY, maxRetries: retries, timeout: TIMEOUT_MS });
  const { data, response } = await sdk.chat.completions.create({ model, messages, max_tokens: 100, stream }).withResponse();
  if (!stream) return;
  seen.headers = Object.fromEntries(response.headers);
  for await (const chunk of data) {
    for (const choice of chunk.choices) {
      seen.text += choice.delta.content ?? '';
      seen.is_finished ||= Boolean(choice.finish_reason);
    }
  }
}

async function askAnthropic({ model, stream, retries }, seen) {
  const sdk = new Anthropic({ baseURL: ROOT_URL, apiKey: KEY, maxRetries: retries, timeout: TIMEOUT_MS });
  const { data, response } = await sdk.messages.create({ model, messages, max_tokens: 100, stream }).withResponse();
  if (!stream) return;
  seen.headers = Object.fromEntries(response.headers);
  for await (const event of data) {
    if (event.type === 'content_block_delta') seen.text += event.delta.text ?? '';
    seen.is_finished ||= event.type === 'message_delta' || event.type === 'message_stop';
  }
}

async function askGoogle({ model, stream }, seen) {
  const sdk = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: ROOT_URL, timeout: TIMEOUT_MS } });
  const wish = { model, contents: messages[0].content, config: { maxOutputTokens: 100 } };
  if (!stream) return void (await sdk.models.generateContent(wish));
  for await (const chunk of await sdk.models.generateContentStream(wish)) {
    seen.text += chunk.text ?? '';
    seen.is_finished ||= Boolean(chunk.candidates?.[0]?.finishReason);
  }
}

// Google's SDK puts the body, as JSON, into the message, and keeps no headers.
function bodyIn(message) {
  try {
    return JSON.parse(message.slice(message.indexOf('{')));
  } catch {
    return {};
  }
}

const ASKERS = {
  openai: { ask: askOpenAi, verdict: (error) => error.error?.claviger },
  anthropic: { ask: askAnthropic, verdict: (error) => error.error?.error?.claviger },
  google: { ask: askGoogle, verdict: (error) => bodyIn(error.message).error?.claviger },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const { ask, verdict } = ASKERS[question.sdk];
  const seen = { kind: '', code: null, words: '', verdict: {}, headers: {}, text: '', is_finished: false };
  try {
    await ask(question, seen);
  } catch (error) {
    seen.kind = error.constructor.name;
    seen.code = error.status ?? null;
    seen.words = error.message;
    seen.verdict = verdict(error) ?? {};
    if (error.headers) seen.headers = Object.fromEntries(error.headers);
  }
  console.log(JSON.stringify(seen));
}
