"""Streams an answer through Claviger with the OpenAI SDK, then prints what it cost.

python3 examples/stream.py [MODEL] [QUESTION]
"""

import os
import sys

from openai import OpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "local/smollm2-135m-instruct"
question = sys.argv[2] if len(sys.argv) > 2 else "Why is the sky blue? Answer in one sentence."

client = OpenAI(base_url=os.environ["CLAVIGER_BASE_URL"], api_key=os.environ["CLAVIGER_API_KEY"])
stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": question}],
    max_tokens=100,
    stream=True,
    stream_options={"include_usage": True},
)
for event in stream:
    if event.choices:
        print(event.choices[0].delta.content or "", end="", flush=True)
    if event.usage:
        # `cost` is Claviger's: US dollars for exactly this answer.
        print(f"\n\n{event.usage.total_tokens} tokens, ${event.usage.cost:.9f}")
