// A property that fails under a mutant has done its work; looking for its smallest counterexample could take for ever.
import fc from 'fast-check';

fc.configureGlobal({ endOnFailure: true });
