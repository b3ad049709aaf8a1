"""Tells an exhausted budget, a wrong key and a busy provider apart, and acts on each.

Every error that Claviger answers carries a verdict: who is at fault, what to say to a person,
what to do, and whether trying again makes sense.

python3 examples/budget_aware.py [MODEL]
"""

import os
import sys

import openai

model = sys.argv[1] if len(sys.argv) > 1 else "local/smollm2-135m-instruct"
client = openai.OpenAI(base_url=os.environ["CLAVIGER_BASE_URL"], api_key=os.environ["CLAVIGER_API_KEY"])

try:
    answer = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "Say hello."}], max_tokens=16
    )
except openai.APIStatusError as error:
    verdict = error.body["claviger"]
    print(f"{verdict['say']}\nWhat to do: {verdict['remedy']}")
    if error.status_code == 402:
        # Not a bug of this program and not an outage: the owner decides whether to raise the limit.
        print("This is the owner's limit; trying again will not help.")
    elif verdict["retry"] == "no":
        print(f"At fault: {verdict['at_fault']} (request {verdict['request_id']}).")
    sys.exit(1)

print(answer.parse().choices[0].message.content)
print(f"cost ${answer.headers['x-claviger-cost']}, left ${answer.headers['x-claviger-budget-remaining']}")
