// A weather station with Varve's engine inside: keys are "STATION/TIME", values are temperatures.
//
//   embedded DIRECTORY
#include <cstdio>
#include <memory>
#include <string>

#include "engine/db.h"
#include "io/io.h"

namespace {

using varve::Status;
using varve::engine::Db;
using varve::engine::Iterator;
using varve::engine::IteratorOptions;
using varve::engine::PinnedValue;
using varve::engine::Snapshot;
using varve::engine::WriteBatch;

// Prints all readings of one station, as of `snapshot` or, without one, of now.
Status PrintReadings(Db& db, const std::string& station, const Snapshot* snapshot) {
  IteratorOptions options;
  options.lower_bound = station + "/";
  options.upper_bound = station + "0";  // '0' follows '/'
  options.snapshot = snapshot;
  const std::unique_ptr<Iterator> readings = db.NewIterator(options);
  for (readings->SeekToFirst(); readings->Valid(); readings->Next()) {
    const std::string key(readings->key());
    const std::string value(readings->value());
    std::printf("  %s  %s\n", key.c_str(), value.c_str());
  }
  return readings->status();  // the end, or what kept the iterator from going on
}

Status Run(const std::string& directory) {
  const std::unique_ptr<varve::io::Io> io = varve::io::NewIo();
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db, Db::Open(*io, directory, {}));

  // What is written together becomes visible, and survives a power cut, together.
  WriteBatch batch;
  batch.Put("oslo/09:00", "4.5");
  batch.Put("oslo/10:00", "6.0");
  batch.Put("rome/09:00", "18.5");
  VARVE_RETURN_IF_ERROR(db->Write(batch).status());

  PinnedValue value;
  VARVE_ASSIGN_OR_RETURN(const bool found, db->Get("rome/09:00", &value));
  std::printf("Rome at nine: %s\n", found ? value.ToString().c_str() : "no reading");

  // A snapshot keeps its moment, whatever is written later.
  std::unique_ptr<Snapshot> before = db->GetSnapshot();
  VARVE_RETURN_IF_ERROR(db->Delete("oslo/09:00"));
  VARVE_RETURN_IF_ERROR(db->Put("oslo/11:00", "7.5"));

  std::printf("Oslo before the correction:\n");
  VARVE_RETURN_IF_ERROR(PrintReadings(*db, "oslo", before.get()));
  std::printf("Oslo now:\n");
  VARVE_RETURN_IF_ERROR(PrintReadings(*db, "oslo", nullptr));

  // Leave no reading behind, so that the next run prints the same.
  before.reset();
  VARVE_RETURN_IF_ERROR(db->DropRange("", "").status());
  return db->Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: embedded DIRECTORY\n");
    return 2;
  }
  if (const Status status = Run(argv[1]); !status.ok()) {
    std::fprintf(stderr, "embedded: %s\n", std::string(varve::Message(status)).c_str());
    return 1;
  }
  return 0;
}
