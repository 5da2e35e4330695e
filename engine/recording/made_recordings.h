#pragma once
/// For whoever counts over all recordings that a process makes (which rules the test suites fire). The program itself
/// sets nothing. Threads: set it before the first recording; the function is called by whichever thread finishes one.

namespace hmmscope {

class Recording;
using RecordingMade = void (*)(const Recording& recording);

/// Called with every recording that Recorder::finish() hands over; nullptr: nobody. Returns who was called before.
RecordingMade on_recording_made(RecordingMade call);

}  // namespace hmmscope
