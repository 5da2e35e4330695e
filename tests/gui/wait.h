#pragma once
/// Waiting for what happens off the window's thread.

#include <QtTest/QTest>
#include <functional>

namespace hmmscope::app {

/// Lets events happen until `done`; false after a minute.
inline bool wait_for(const std::function<bool()>& done) { return QTest::qWaitFor(done, 60000); }

}  // namespace hmmscope::app
