// The conformance suite of loop/completion.h. Drives a port through an event base that was made
// with its backend alone. A port's test instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(IoUring, CompletionConformance,
//                            testing::Values(Port{&event_io_uring_ops, 0}), CompletionName());
//
// Tests that begin with "Thread" need evthread_use_pthreads(); what comes after them in the same
// process runs with locks.
//
// What can go wrong with an operation in flight, and the test of it; 26 kinds:
//
//   cancelled (11): CancelInFlight, CancelBeforeTheWait, CancelTwice, CancelAfterTheCompletion,
//     CancelRacesWithData, CancelRacesWithRoom, CancelRacesWithAConnection,
//     CancelFromAFunctionAndLaunchAgain, CancelOneOfManyOnASocket, CancelThousands; its socket
//     closed against the rules: DescriptorClosedInFlight
//   end of the base (6): FreeWithEachKindInFlight, FreeWithHundredsInFlight,
//     FreeWithFunctionsStillToRun, FreeWithoutFinalizers, FreeAfterCancelling,
//     FreeWithDataThatNobodyTook
//   failing connections (7): ListenerShutDownWhileAccepting, OutOfDescriptors, ConnectRefused,
//     ResetByThePeer, ResetDuringASend, PeerClosesWhileASendWaits, OwnShutdownEndsWhatWaits
//   short memory (2): MoreBlocksThanThePortHas, MemoryRunsShortWithBlocksInUse
//
// Besides, the like for receives that go on (Repeated...), threads that end (Thread...), and
// fork(2) (completion_fork.h). What a port does when its system calls fail is its own test's.
#ifndef BACKENDS_TESTING_COMPLETION_CONFORMANCE_H_
#define BACKENDS_TESTING_COMPLETION_CONFORMANCE_H_

#include "backends/testing/completion_cancel.h"
#include "backends/testing/completion_connections.h"
#include "backends/testing/completion_end.h"
#include "backends/testing/completion_fork.h"
#include "backends/testing/completion_loop.h"
#include "backends/testing/completion_memory.h"
#include "backends/testing/completion_repeat.h"
#include "backends/testing/completion_threads.h"
#include "backends/testing/completion_transfer.h"

#endif  // BACKENDS_TESTING_COMPLETION_CONFORMANCE_H_
