#!/usr/bin/env node
// A file that is there before the first build: npm links commands, and makes them executable, when it installs.
import "../dist/src/main.js";
