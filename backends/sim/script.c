#include "backends/sim/script.h"

#include <string.h>

#include "util/memory.h"

static bool is_earlier(const struct sim_step *a, const struct sim_step *b) {
  return a->when_ns != b->when_ns ? a->when_ns < b->when_ns : a->number < b->number;
}

int strata_sim_script_add(struct sim_script *script, struct sim_step step) {
  if (script->num_steps == script->capacity) {
    size_t capacity = script->capacity ? script->capacity * 2 : 16;
    void *steps = strata_realloc(script->steps, capacity * sizeof(*script->steps));
    if (!steps) return -1;
    script->steps = steps;
    script->capacity = capacity;
  }
  step.number = script->num_written++;
  size_t k = script->num_steps++;
  for (; k > 0 && is_earlier(&step, &script->steps[(k - 1) / 2]); k = (k - 1) / 2)
    script->steps[k] = script->steps[(k - 1) / 2];
  script->steps[k] = step;
  return 0;
}

int64_t strata_sim_script_next_ns(const struct sim_script *script) {
  return script->num_steps ? script->steps[0].when_ns : INT64_MAX;
}

struct sim_step strata_sim_script_take(struct sim_script *script) {
  struct sim_step taken = script->steps[0];
  struct sim_step last = script->steps[--script->num_steps];
  size_t k = 0;
  for (size_t child = 1; child < script->num_steps; child = 2 * k + 1) {
    if (child + 1 < script->num_steps &&
        is_earlier(&script->steps[child + 1], &script->steps[child]))
      child++;
    if (!is_earlier(&script->steps[child], &last)) break;
    script->steps[k] = script->steps[child];
    k = child;
  }
  if (script->num_steps) script->steps[k] = last;
  return taken;
}

void strata_sim_script_clear(struct sim_script *script) {
  if (script->steps) strata_free(script->steps);
  memset(script, 0, sizeof(*script));
}
