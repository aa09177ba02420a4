#ifndef STRATA_HTTP_SMUGGLING_CASES_H_
#define STRATA_HTTP_SMUGGLING_CASES_H_

#include <vector>

#include "http/smuggling_body_cases.h"
#include "http/smuggling_case.h"
#include "http/smuggling_head_cases.h"

inline std::vector<SmugglingCase> SmugglingCases() {
  std::vector<SmugglingCase> cases;
  smuggling::AddLengthCases(&cases);
  smuggling::AddCodingCases(&cases);
  smuggling::AddChunkCases(&cases);
  smuggling::AddLineCases(&cases);
  smuggling::AddHostCases(&cases);
  smuggling::AddConnectionCases(&cases);
  smuggling::AddReplyCases(&cases);
  return cases;
}

#endif
