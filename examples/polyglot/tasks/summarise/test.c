#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sandstep/sandstep.h"

int main(void) {
    json_writer output;
    const char *rising = "{\"sensors\":[{\"name\":\"a\",\"points\":[{\"minute\":0,\"celsius\":10},{\"minute\":60,\"celsius\":12}]}]}";
    const char *wanted = "[{\"sensor\":\"a\",\"count\":2,\"minimum\":10,\"maximum\":12,\"mean\":11,\"deviation\":1,\"trend\":2}]";
    assert(sandstep_call(rising, strlen(rising), &output) == SANDSTEP_OK);
    assert(output.length == strlen(wanted) && !memcmp(output.text, wanted, output.length));

    const char *empty = "{\"sensors\":[{\"name\":\"a\",\"points\":[]}]}";
    assert(sandstep_call(empty, strlen(empty), &output) == SANDSTEP_FAILED);
    assert(!strcmp(sandstep_failure_error(), "NoReadings"));
    puts("2 passed, 0 failed");
    return 0;
}
