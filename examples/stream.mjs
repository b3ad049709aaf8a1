// Streams an answer through Claviger with the OpenAI SDK, then prints what it cost.
//
// node examples/stream.mjs [MODEL] [QUESTION]

import OpenAI from 'openai';

const model = process.argv[2] ?? 'local/smollm2-135m-instruct';
const question = process.argv[3] ?? 'Why is the sky blue? Answer in one sentence.';

const client = new OpenAI({
  baseURL: process.env.CLAVIGER_BASE_URL,
  apiKey: process.env.CLAVIGER_API_KEY,
});
const stream = await client.chat.completions.create({
  model,
  messages: [{ role: 'user', content: question }],
  max_tokens: 100,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const event of stream) {
  process.stdout.write(event.choices[0]?.delta?.content ?? '');
  // `cost` is Claviger's: US dollars for exactly this answer.
  if (event.usage) console.log(`\n\n${event.usage.total_tokens} tokens, $${event.usage.cost.toFixed(9)}`);
}
