/* The lease protocol of budgets, for spin: how several nodes spend from one limit without
 * asking for each request, and what a crash may do to it.
 *
 *   test/model/check              the protocol as it is, and each deliberate mistake in it
 *
 * One budget of LIMIT units in one period; two nodes; one store. A hold is one unit, and costs
 * nothing or one when it is settled. What stands for what:
 *
 *   here                     in src/budget
 *   lease[n]                 a row of LedgerStore: what node n may have committed in all, in this
 *                            period: spent, held and what it may yet hold
 *   ceiling                  Account::ceiling_nanos, which follows the lease
 *   settled / durable        the journal: what was written, and what is on disk of it
 *   FOLD                     LedgerStore::fold(), by position
 *   LEASE, with its number   LedgerStore::lease(): sets the lease, absolutely
 *   epoch                    a new run fences off the one before (on one node: the home's lock)
 *
 * Every message and every answer can be lost or come twice; a node can be killed (its journal
 * is whole) or lose power (what is younger than the last group is gone) at every step.
 *
 * Checked in every reachable state:
 *   limit      what is spent, and what may yet be billed, never exceeds the limit
 *   counted    nor does what the store counts: leased, unconfirmed, and spent after a bill
 *   covered    no settled spend is forgotten: it is leased, unconfirmed, or known from a bill
 *
 * MISTAKE, to see that a mistake is found:
 *   1  a node takes every answer as "one more", whether it has seen it or not
 *   2  after a power cut the rest of the lease is given back
 *   3  a node asks for less and lowers its own ceiling only when that is answered
 *   4  an old run is not fenced off
 *   5  a killed run's open holds are released
 */

#ifndef MISTAKE
#define MISTAKE 0
#endif
#define NODES 2
#define LIMIT 2
#define CALLS_MAX 2   /* Of each node: keeps the model finite. */
#define CRASHES_MAX 2 /* Of all nodes together. */

mtype = { LEASE, FOLD };

/* The store. */
byte reconciled = 0; /* Spent according to a bill, of what was unconfirmed. */
byte unconfirmed = 0;
byte lease[NODES];
byte folded[NODES]; /* Position in node n's journal: settled units. */
byte epoch[NODES];
byte last_call[NODES];

/* The nodes. */
typedef Node {
  byte epoch;
  byte call;     /* Number of the call in progress or done. */
  bool is_calling;
  mtype what;    /* The call in progress, and its argument. */
  byte wants;
  byte ceiling;  /* What it may have committed. */
  byte held;
  byte settled;  /* Units settled and written, ever. */
  byte durable;  /* ... of which so many are on disk. */
  /* After a crash: which step of recovery comes next, and what kind of crash it was. */
  byte recovery; /* 0: it runs. 1: fence. 2: read the journal. */
  bool lost_power;
}
Node mine[NODES];

/* What really happened, which no node needs to know: held or settled on a node that lost it. */
byte out_of_sight = 0;
byte crashes = 0;

chan request = [1] of { byte, byte, byte, mtype, byte }; /* node, epoch, call, what, argument */
chan answer[NODES] = [1] of { byte, byte, byte };        /* epoch, call, lease */

#define room (LIMIT - reconciled - unconfirmed - lease[0] - lease[1])
#define committed(n) (mine[n].held + mine[n].settled)
#define runs(n) (mine[n].recovery == 0)

inline send_request(m, kind, amount) {
  if
  :: skip /* Lost. */
  :: nfull(request) -> request ! m, mine[m].epoch, mine[m].call, kind, amount
  fi
}

inline send_answer(m, of_epoch, of_call) {
  if
  :: skip /* Lost. */
  :: nfull(answer[m]) -> answer[m] ! of_epoch, of_call, lease[m]
  fi
}

proctype Store() {
  byte n, e, c, argument, more;
  mtype what;
end:
  do
  :: atomic {
       request ? n, e, c, what, argument ->
       if /* Twice. */
       :: skip
       :: nfull(request) -> request ! n, e, c, what, argument
       fi;
       if
       :: MISTAKE != 4 && e != epoch[n] -> skip /* From a run that is over. */
       :: else ->
          if
          :: what == FOLD -> folded[n] = (argument > folded[n] -> argument : folded[n])
          :: what == LEASE && (c > last_call[n] || MISTAKE == 4) ->
             last_call[n] = c;
             if
             :: argument <= lease[n] -> lease[n] = argument
             :: else ->
                more = argument - lease[n];
                more = (more > room -> room : more);
                lease[n] = lease[n] + more
             fi
          :: else -> skip /* Done already: only the answer was lost. */
          fi;
          send_answer(n, e, c)
       fi;
       n = 0; e = 0; c = 0; argument = 0; more = 0; what = 0
     }
  :: atomic { /* A bill says that this much of what is unconfirmed was nothing ... */
       unconfirmed > out_of_sight -> unconfirmed--
     }
  :: atomic { /* ... or it was something. */
       unconfirmed > 0 && out_of_sight > 0 ->
       unconfirmed--;
       out_of_sight--;
       if
       :: reconciled++
       :: skip
       fi
     }
  od
}

/* The end of a run, at any step, recovery included. The journal stays: all of it after a kill,
 * what was on disk after a power cut. What of it the store has may still be on its way there. */
inline crash(m, is_power_cut) {
  crashes++;
  mine[m].lost_power = mine[m].lost_power || is_power_cut;
  mine[m].is_calling = false;
  mine[m].what = 0;
  mine[m].wants = 0;
  mine[m].ceiling = 0;
  mine[m].recovery = 1
}

proctype Run(byte n) {
  byte e, c, got;
end:
  do
  :: atomic { /* A request takes a hold: no message, no wait. */
       runs(n) && committed(n) < mine[n].ceiling -> mine[n].held++
     }
  :: atomic { /* ... and is settled. */
       runs(n) && mine[n].held > 0 ->
       mine[n].held--;
       if
       :: mine[n].settled++
       :: skip
       fi
     }
  :: atomic { /* A group reaches the disk. */
       runs(n) && mine[n].durable < mine[n].settled -> mine[n].durable = mine[n].settled
     }
  :: atomic { /* Ask for more or for less: absolutely, so that saying it twice is no harm. */
       runs(n) && !mine[n].is_calling && mine[n].call < CALLS_MAX ->
       mine[n].call++;
       mine[n].is_calling = true;
       mine[n].what = LEASE;
       if
       :: mine[n].wants = committed(n)
       :: mine[n].wants = committed(n) + 1
       fi;
       /* Less than it may use now: from this moment on it uses no more than that. */
       if
       :: MISTAKE != 3 && mine[n].ceiling > mine[n].wants -> mine[n].ceiling = mine[n].wants
       :: else -> skip
       fi;
       send_request(n, mine[n].what, mine[n].wants)
     }
  :: atomic { /* Fold what was written. */
       runs(n) && !mine[n].is_calling && mine[n].call < CALLS_MAX &&
       mine[n].settled > folded[n] ->
       mine[n].call++;
       mine[n].is_calling = true;
       mine[n].what = FOLD;
       mine[n].wants = mine[n].settled;
       send_request(n, mine[n].what, mine[n].wants)
     }
  :: atomic { /* No answer came: say the same again. */
       runs(n) && mine[n].is_calling && empty(answer[n]) ->
       send_request(n, mine[n].what, mine[n].wants)
     }
  :: atomic {
       answer[n] ? e, c, got ->
       if
       :: MISTAKE == 1 && runs(n) && got > 0 && mine[n].ceiling < LIMIT ->
          mine[n].ceiling++;
          mine[n].is_calling = false
       :: MISTAKE != 1 && runs(n) && mine[n].is_calling && e == mine[n].epoch && c == mine[n].call ->
          mine[n].is_calling = false;
          if
          :: mine[n].what == LEASE -> mine[n].ceiling = got
          :: else -> skip
          fi;
          mine[n].what = 0;
          mine[n].wants = 0
       :: else -> skip
       fi;
       e = 0; c = 0; got = 0
     }
  :: atomic { crashes < CRASHES_MAX -> crash(n, false) }
  :: atomic { crashes < CRASHES_MAX -> crash(n, true) }
  /* A new run does this before it grants anything, and again where it crashes meanwhile. */
  :: atomic { mine[n].recovery == 1 -> epoch[n]++; mine[n].recovery = 2 }
  :: atomic { /* One transaction: what the journal has, and what becomes of the lease. */
       mine[n].recovery == 2 ->
       if
       :: mine[n].lost_power -> /* What was not on disk, and was not folded, is gone. */
          got = (mine[n].durable > folded[n] -> mine[n].durable : folded[n])
       :: else -> got = mine[n].settled
       fi;
       out_of_sight = out_of_sight + committed(n) - got;
       if
       :: mine[n].lost_power && MISTAKE != 2 -> unconfirmed = unconfirmed + lease[n] - got
       :: !mine[n].lost_power && MISTAKE != 5 -> unconfirmed = unconfirmed + mine[n].held
       :: else -> skip
       fi;
       lease[n] = got;
       folded[n] = got;
       mine[n].settled = got;
       mine[n].durable = got;
       mine[n].held = 0;
       mine[n].ceiling = got;
       mine[n].epoch = epoch[n];
       mine[n].call = last_call[n];
       mine[n].lost_power = false;
       mine[n].recovery = 0;
       got = 0
     }
  od
}

/* What a provider was given leave to bill. */
#define limit (reconciled + out_of_sight + committed(0) + committed(1) <= LIMIT)
/* What the store counts, which is what any other node goes by. */
#define counted (reconciled + unconfirmed + lease[0] + lease[1] <= LIMIT)
/* What is committed is leased; what a crash took out of sight is unconfirmed. */
#define covered (committed(0) <= lease[0] && committed(1) <= lease[1] && \
                 out_of_sight <= unconfirmed)

/* Looks at every state that anybody reaches. */
proctype Watch() {
end:
  atomic {
    !(limit && counted && covered) ->
    assert(limit);
    assert(counted);
    assert(covered)
  }
}

init {
  atomic { run Store(); run Run(0); run Run(1); run Watch() }
}
