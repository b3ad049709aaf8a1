#include "server/config.h"

namespace claviger::server {

std::string_view default_config_text() {
  return R"(# Claviger's settings. Every line that begins with '#' shows the default; remove the '#' to
# change it. Check with `claviger config check`, apply with `claviger config reload` (or
# SIGHUP): all or nothing. Settings marked (restart) take effect after a restart.

[server]
# listen = "127.0.0.1:8484"       # (restart) Elsewhere than on loopback only with TLS.
# threads = 0                     # (restart) 0: one per core.
# tls_certificate = ""            # (restart) PEM file, own certificate first.
# tls_key = ""                    # (restart) PEM file, not encrypted.
# behind_tls_proxy = false        # (restart) A proxy in front of us speaks TLS.
# connections_max = 20000         # (restart)
# drain_seconds_max = 30          # How long running requests may finish on SIGTERM.

[limits]
# body_bytes_max = 33554432       # A request's body; 32 MiB.
# all_bodies_bytes_max = 1073741824  # The large ones of all requests together; 1 GiB.
# keep_alive_seconds_max = 75     # A connection without a request.
# head_seconds_max = 10           # A request's head, first byte to last.
# body_seconds_max = 120          # A request's body, first byte to last.
# write_idle_seconds_max = 60     # A caller that takes nothing.
# attempts_max = 3                # Tries for one request, fallbacks included; 1: none again.
# retry_pause_seconds_max = 5     # Longer pauses are left to the caller.
# connect_seconds_max = 10        # Reaching a provider: name, TCP and TLS together.
# end_users_max = 100000          # (restart) Budgets that rules for each end user may make.
# budget_wait_seconds_max = 30    # A request waits so long for money that others hold.
# first_byte_seconds_max = 600    # Until a provider's answer begins; of a stream its first word.
# first_word_seconds_max = 30     # A stream that has begun is kept back so long for its first word.
# idle_seconds_max = 120          # Between two pieces of an answer.
# answer_bytes_max = 67108864     # An answer that is not streamed; 64 MiB.
# exact_count_bytes_max = 2097152 # Larger requests are bounded by bytes alone; 0: all. 2 MiB.
# event_bytes_max = 4194304       # One event of a stream; 4 MiB.

[egress]
# Private addresses that may be reached, exactly these hosts and ports. Credentials added
# with --allow-private open theirs in addition.
# allow = ["127.0.0.1:11434"]

[ledger]
# durability = "fast"             # (restart) "strict": a request leaves only after its hold is on disk.
# group_commit_ms = 5             # (restart) How often the journal reaches the disk.

[local]
# runner_path = ""                # (restart) llama-server; empty: looked for.
# sandbox = "on"                  # (restart) "off": trust every model file.
# sandbox_allow_missing = []      # (restart) Parts that this machine may lack, see `claviger doctor`.
# runners_max = 4                 # (restart) Model processes at once.
# requests_per_runner_max = 64    # (restart) Answered or waiting in one of them.
# idle_minutes_max = 10           # (restart) Then a model is unloaded.
# request_slots = 4               # (restart) Answered at once by one process.
# threads = 0                     # (restart) Of each process; 0: one fewer than the cores.
# prompt_cache_mib = 256          # (restart) Of each process, for conversations that go on.
# nice = 10                       # (restart) 0 to 19: how much they yield to others.

[mail]
# The server that takes alerts by mail (`claviger alert channel add mail`). One in your own
# network has to be opened in [egress] allow, too.
# host = ""                       # Empty: no mail.
# port = 587                      # Mostly 587 for "starttls", 465 for "tls".
# tls = "starttls"                # "tls": from the first byte; "none": only on this machine.
# user = ""                       # Empty: no login.
# password_env = ""               # The environment variable that holds the password.
# password_file = ""              # Or a file that only the server's user may read.
# from = ""                       # The sender, like claviger@example.com.
# ca_file = ""                    # PEM file with the server's authority; empty: the system's.

[vault]
# root_key = "file"               # (restart) "file", "passphrase", "fd:N" or "systemd:NAME".

[log]
# level = "info"                  # debug, info, warning, error
)";
}

}  // namespace claviger::server
