//! Real servers and scripted peers for viaduct tests
