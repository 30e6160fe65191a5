// Sandstep tasks in C. A task is one function, which sandstep.c calls:
//
//     int sandstep_task(const json *input, json_writer *output) {
//         const char *id;
//         long long amount;
//         if (!need_string(input, "id", &id) || !need_integer(input, "amount", &amount)) return SANDSTEP_FAILED;
//         if (amount > 100000) return sandstep_fail("CardDeclined", "%lld is over the card's limit", amount);
//         sandstep_info("charging %lld", amount);
//         json_object(output);
//         json_key(output, "charged"), json_integer(output, amount);
//         json_end(output);
//         return SANDSTEP_OK;
//     }
//
// Built for any other system than WebAssembly, sandstep.c has a main that runs the task once, from standard input to
// standard output; with -DSANDSTEP_NO_MAIN it has none, for tests.

#ifndef SANDSTEP_H
#define SANDSTEP_H

#include <stdint.h>

#include "json.h"

#define SANDSTEP_OK 0
#define SANDSTEP_FAILED 1

// The task: reads its input, writes one value to its output and returns SANDSTEP_OK; or returns what sandstep_fail
// returned.
int sandstep_task(const json *input, json_writer *output);

#if defined(__GNUC__)
#define SANDSTEP_FORMAT(text, values) __attribute__((format(printf, text, values)))
#else
#define SANDSTEP_FORMAT(text, values)
#endif

// Fails with the error name that Retry and Catch match, and a cause for people. Names beginning with `States.` are the
// language's own; CamelCase is the custom.
int sandstep_fail(const char *error, const char *cause, ...) SANDSTEP_FORMAT(2, 3);

// A member the task can't do without. Where it is absent or of another kind, the answer is false and the failure
// InvalidInput is set, saying where: return SANDSTEP_FAILED then.
bool need_string(const json *object, const char *key, const char **into);
bool need_number(const json *object, const char *key, double *into);
bool need_integer(const json *object, const char *key, long long *into);
bool need_boolean(const json *object, const char *key, bool *into);
bool need_array(const json *object, const char *key, const json **into);
bool need_object(const json *object, const char *key, const json **into);

// A line in the attempt's log.
void sandstep_debug(const char *message, ...) SANDSTEP_FORMAT(1, 2);
void sandstep_info(const char *message, ...) SANDSTEP_FORMAT(1, 2);
void sandstep_warn(const char *message, ...) SANDSTEP_FORMAT(1, 2);
void sandstep_error(const char *message, ...) SANDSTEP_FORMAT(1, 2);

// Ends the attempt at once with the error `Panic`, for what can't happen.
_Noreturn void sandstep_panic(const char *message, ...) SANDSTEP_FORMAT(1, 2);

// Tells the host that the task is alive: the state's HeartbeatSeconds start again.
void sandstep_heartbeat(void);

// Where an attempt stands.
typedef struct sandstep_attempt {
    const char *execution_id;     // $$.Execution.Id
    const char *state_machine_id; // $$.StateMachine.Id
    const char *state_name;
    uint32_t retry_count; // 0 for the first attempt, 1 for the first retry
    // The same for every run of this attempt, a run after a crash included: hand it to outside services that
    // deduplicate.
    const char *idempotency_key;
    // Milliseconds since the Unix epoch after which the task is stopped; 0 where the state sets no TimeoutSeconds.
    uint64_t deadline;
} sandstep_attempt;

sandstep_attempt sandstep_context(void);

// How the last call failed; for tests. NULL where it didn't.
const char *sandstep_failure_error(void);
const char *sandstep_failure_cause(void);

// One call as the host makes it: JSON in, and either JSON out or a failure; for tests.
int sandstep_call(const char *input, size_t length, json_writer *output);

#endif
