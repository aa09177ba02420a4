#include "util/resolver.h"

const struct strata_resolver *strata_resolver;
