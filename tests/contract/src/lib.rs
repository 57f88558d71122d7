//! One suite of cases for every bridge
