//! The `runbook` binary: hands over to [`runbook::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    runbook::cli::main()
}
