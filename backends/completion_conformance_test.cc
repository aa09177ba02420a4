// Every completion port that this platform has keeps the contract of loop/completion.h.
#include "backends/testing/completion_conformance.h"

#include "backends/testing/all_backends.h"

namespace {

std::vector<Port> AllPorts(int num_cpus_hint) {
  std::vector<Port> ports;
  for (auto *ops : AllBackends()) {
    if (ops->port != nullptr) ports.push_back(Port{ops, num_cpus_hint});
  }
  return ports;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Ports, CompletionConformance, testing::ValuesIn(AllPorts(0)),
                         CompletionName());
#ifdef _WIN32
// After those, which begin without locks.
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, CompletionConformance, testing::ValuesIn(AllPorts(4)),
                         CompletionName());
#endif
