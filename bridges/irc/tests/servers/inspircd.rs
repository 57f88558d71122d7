//! Against InspIRCd.
