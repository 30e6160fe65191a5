#include "sandstep/sandstep.h"

#define CARD_LIMIT 100000

int sandstep_task(const json *input, json_writer *output) {
    const char *id;
    long long amount;
    if (!need_string(input, "id", &id) || !need_integer(input, "amount", &amount)) return SANDSTEP_FAILED;
    if (amount > CARD_LIMIT) return sandstep_fail("CardDeclined", "%lld is over the card's limit", amount);

    sandstep_info("charging %lld", amount);
    json_object(output);
    json_key(output, "order");
    json_string(output, id);
    json_key(output, "charged");
    json_integer(output, amount);
    json_end(output);
    return SANDSTEP_OK;
}
