#!/usr/bin/env node
'use strict';
// File arguments are relative to where the user stands, not to the checkout.
process.env.SIEGEL_KEEP_CWD = '1';
require('../scripts/run.cjs').main(['siegel'].concat(process.argv.slice(2)));
