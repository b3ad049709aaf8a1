// What the programs here that call Claviger through an SDK share: one line per check, `ok NAME` or
// `not ok NAME: why`, each name begun with the suite's, and the record of a request.

const RECORD_TRIES = 250;
const RECORD_PAUSE_MS = 20;
const WHY_CHARACTERS_MAX = 600;

export function checksOf(suite) {
  let failed = 0;

  function check(name, holds, why = '') {
    if (holds) return console.log(`ok ${suite}: ${name}`);
    failed += 1;
    const seen = typeof why === 'string' ? why : JSON.stringify(why);
    console.log(`not ok ${suite}: ${name}: ${String(seen).replace(/\s+/g, ' ').slice(0, WHY_CHARACTERS_MAX)}`);
  }

  // A story that throws is a failed check, and the next is told.
  async function story(name, tell) {
    try {
      await tell();
    } catch (error) {
      check(name, false, error.stack ?? String(error));
    }
  }

  const finish = () => process.exit(failed === 0 ? 0 : 1);
  return { check, story, finish };
}

// The record at `url`. It is written off the request's way: it may take a moment.
export async function readRecord(url, key) {
  for (let attempt = 0; attempt < RECORD_TRIES; attempt += 1) {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
    if (answer.ok) return answer.json();
    await answer.arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, RECORD_PAUSE_MS));
  }
  throw new Error(`no record at ${url} within ${(RECORD_TRIES * RECORD_PAUSE_MS) / 1000} s`);
}
