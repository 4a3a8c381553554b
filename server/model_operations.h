// The operations of the model whose subject this server doesn't have: backups, exports, imports,
// global tables, Kinesis destinations, contributor insights, resource policies and so on. Those
// that describe or list answer what the service says where there is nothing; those that would
// change something say that they are not there.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "item/errors.h"
#include "item/store.h"
#include "server/json.h"
#include "server/schema.h"

namespace varve::server {

struct ModelOperation {
  enum class Answer : uint8_t {
    kText,     // `text`
    kOfTable,  // `text` if the table exists, otherwise `error`
    kError,    // `error` with `text`
    kMissing,  // that this server does not have the operation
  };
  std::string_view name;
  Answer answer = Answer::kMissing;
  std::string_view parameter = {};  // the string that must be given; {} in `text` stands for it
  std::string_view text = {};
  item::ErrorType error = item::ErrorType::kValidationException;
};

// In no order.
inline constexpr ModelOperation kModelOperations[] = {
    {"CancelBulkOperation"},
    {"CreateBackup"},
    {"CreateGlobalTable"},
    {"DeleteBackup", ModelOperation::Answer::kError, "BackupArn", "Backup not found: {}",
     item::ErrorType::kBackupNotFoundException},
    {"DeleteResourcePolicy", ModelOperation::Answer::kText, "ResourceArn", "{}"},
    {"DescribeBackup", ModelOperation::Answer::kError, "BackupArn", "Backup not found: {}",
     item::ErrorType::kBackupNotFoundException},
    {"DescribeBulkOperation", ModelOperation::Answer::kError, "BulkOperationArn",
     "Requested resource not found: {}", item::ErrorType::kResourceNotFoundException},
    {"DescribeContinuousBackups", ModelOperation::Answer::kOfTable, "TableName",
     R"({"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED",)"
     R"("PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":"DISABLED"}}})",
     item::ErrorType::kTableNotFoundException},
    {"DescribeContributorInsights", ModelOperation::Answer::kOfTable, "TableName",
     R"({"ContributorInsightsStatus":"DISABLED","TableName":"{}"})",
     item::ErrorType::kResourceNotFoundException},
    {"DescribeEndpoints", ModelOperation::Answer::kText, "",
     R"({"Endpoints":[{"Address":"{host}","CachePeriodInMinutes":1440}]})"},
    {"DescribeExport", ModelOperation::Answer::kError, "ExportArn", "Export not found: {}",
     item::ErrorType::kExportNotFoundException},
    {"DescribeGlobalTable", ModelOperation::Answer::kError, "GlobalTableName",
     "Global table not found: Global table with name: '{}' does not exist.",
     item::ErrorType::kGlobalTableNotFoundException},
    {"DescribeGlobalTableSettings", ModelOperation::Answer::kError, "GlobalTableName",
     "Global table not found: Global table with name: '{}' does not exist.",
     item::ErrorType::kGlobalTableNotFoundException},
    {"DescribeImport", ModelOperation::Answer::kError, "ImportArn", "Import not found: {}",
     item::ErrorType::kImportNotFoundException},
    {"DescribeKinesisStreamingDestination", ModelOperation::Answer::kOfTable, "TableName",
     R"({"KinesisDataStreamDestinations":[],"TableName":"{}"})",
     item::ErrorType::kResourceNotFoundException},
    {"DescribeLimits", ModelOperation::Answer::kText, "",
     R"({"AccountMaxReadCapacityUnits":80000,"AccountMaxWriteCapacityUnits":80000,)"
     R"("TableMaxReadCapacityUnits":40000,"TableMaxWriteCapacityUnits":40000})"},
    {"DescribeTableReplicaAutoScaling", ModelOperation::Answer::kError, "TableName",
     "Global table with name: '{}' does not exist.", item::ErrorType::kResourceNotFoundException},
    {"DisableKinesisStreamingDestination"},
    {"EnableKinesisStreamingDestination"},
    {"ExportTableToPointInTime"},
    {"GetResourcePolicy", ModelOperation::Answer::kError, "ResourceArn",
     "Resource-based policy not found for the provided ResourceArn: {}",
     item::ErrorType::kPolicyNotFoundException},
    {"ImportTable"},
    {"ListBackups", ModelOperation::Answer::kText, "", R"({"BackupSummaries":[]})"},
    {"ListBulkOperations", ModelOperation::Answer::kText, "",
     R"({"BulkOperationsSummaryList":[]})"},
    {"ListContributorInsights", ModelOperation::Answer::kText, "",
     R"({"ContributorInsightsSummaries":[]})"},
    {"ListExports", ModelOperation::Answer::kText, "", R"({"ExportSummaries":[]})"},
    {"ListGlobalTables", ModelOperation::Answer::kText, "", R"({"GlobalTables":[]})"},
    {"ListImports", ModelOperation::Answer::kText, "", R"({"ImportSummaryList":[]})"},
    {"PutResourcePolicy"},
    {"RestoreTableFromBackup"},
    {"RestoreTableToPointInTime"},
    {"SearchVectors"},
    {"StartBulkPutItems"},
    {"UpdateContinuousBackups"},
    {"UpdateContributorInsights"},
    {"UpdateGlobalTable"},
    {"UpdateGlobalTableSettings"},
    {"UpdateKinesisStreamingDestination"},
    {"UpdateTableReplicaAutoScaling"},
};

// Of a request for an operation with this parameter ("" for none).
const Schema& SchemaOfModelOperation(std::string_view parameter);

// `host` is how the client reached this server.
Status AnswerModelOperation(const ModelOperation& operation, const item::Store& store,
                            const Members& json, std::string_view host, std::string* body);

}  // namespace varve::server
