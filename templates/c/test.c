// Runs natively: `make test`.

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sandstep/sandstep.h"

static json_writer output;

static int run(const char *input) { return sandstep_call(input, strlen(input), &output); }

static void an_order_is_charged(void) {
    assert(run("{\"id\": \"A-1\", \"amount\": 1250}") == SANDSTEP_OK);
    const char *wanted = "{\"order\":\"A-1\",\"charged\":1250}";
    assert(output.length == strlen(wanted) && !memcmp(output.text, wanted, output.length));
}

static void a_large_amount_is_declined(void) {
    assert(run("{\"id\": \"A-2\", \"amount\": 100001}") == SANDSTEP_FAILED);
    assert(!strcmp(sandstep_failure_error(), "CardDeclined"));
}

static void an_order_has_an_amount(void) {
    assert(run("{\"id\": \"A-3\"}") == SANDSTEP_FAILED);
    assert(!strcmp(sandstep_failure_cause(), "`amount`: expected a number, got nothing"));
}

int main(void) {
    an_order_is_charged();
    a_large_amount_is_declined();
    an_order_has_an_amount();
    puts("3 passed, 0 failed");
    return 0;
}
