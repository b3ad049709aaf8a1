#pragma once

/// What every Ledger promises, as tests that run unchanged over each implementation.
///
/// Include this in one test file of a program and instantiate LedgerContract there, with a
/// function that makes a ledger to test:
///
///   INSTANTIATE_TEST_SUITE_P(Memory, LedgerContract, testing::Values(&make_memory));

#include "budget/ledger_contract_crashes.h"
#include "budget/ledger_contract_fixture.h"
#include "budget/ledger_contract_holds.h"
#include "budget/ledger_contract_limits.h"
#include "budget/ledger_contract_threads.h"
